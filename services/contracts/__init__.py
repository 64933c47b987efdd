"""What travels between the services, generated from `schemas/`; a drift check keeps them equal."""
