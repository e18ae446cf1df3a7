"""Audio from elsewhere: many streams in one process, each analysed on its own."""
