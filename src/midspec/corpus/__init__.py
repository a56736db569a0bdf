"""Plan and write the MSM corpus: spec -> domains -> subdomains -> assertions -> types -> ideas -> documents."""
