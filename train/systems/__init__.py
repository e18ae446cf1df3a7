"""Published systems that judge a whole recording at once, as recipes over shared code."""
