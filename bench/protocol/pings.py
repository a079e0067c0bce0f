"""How often a parent shows a watchdog that it is there, and how long silence is borne; imports nothing."""

PING_EVERY_S = 2.0
SILENCE_KILLS_AFTER_S = 8.0
