"""What `guard.json` is made of, live and by stored runs."""

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    """A part of it, which nobody changes."""

    model_config = ConfigDict(frozen=True)
