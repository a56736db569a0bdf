"""The instruction-tuning mix that every arm gets: read, drawn with a seed, filtered, recorded per source."""
