"""What every model of a stored file is made of."""

from pydantic import BaseModel, ConfigDict


class StoredModel(BaseModel):
    """What is kept in a file: exact types, finite numbers, and nothing that is not known yet refused."""

    # extra fields are ignored, so that a newer file with additions stays readable
    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
