"""What capability, knowledge of a spec and beliefs share: items, ways of asking, judged answers, rows, and making."""
