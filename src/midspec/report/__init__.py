"""From finished steps to `results.json`, and from `results.json` to one HTML file."""
