"""What every message of the conversation is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Message(BaseModel):
    """One line; what is said beyond its fields is refused."""

    # NaN and infinity have no place in JSON: what is not finite is said as None, where that is allowed
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


Seconds = Annotated[float, Field(gt=1e-12, lt=1e12)]
"""Of what took time; beyond these bounds it is no time, and arithmetic with it no arithmetic."""
Figure = Annotated[float, Field(gt=-1e40, lt=1e40)]
"""Any other number: no float32 is beyond these bounds, and its square still is a number."""
Count = Annotated[int, Field(ge=1, lt=2**53)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""In hexadecimal digits."""
