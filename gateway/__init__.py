"""The world around the engine: HTTP, Twilio, the database, the command line."""
