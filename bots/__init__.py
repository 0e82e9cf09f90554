"""The engine: what a bot says and does next. Pure: no network, no clock, no environment."""
