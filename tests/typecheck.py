"""The type checker of the tests: beartype, which lets an int stand for a float, as Python does."""

from beartype import BeartypeConf, beartype

checker = beartype(conf=BeartypeConf(is_pep484_tower=True))
