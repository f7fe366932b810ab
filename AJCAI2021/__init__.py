"""AJCAI2021: sex, race and age behind the mask."""
