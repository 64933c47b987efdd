"""The `earshot` command line: play a demo call, follow transcripts, check a deployment, create topics."""
