"""What a recipe will take and cost, before anybody is paid."""
