"""What is written about calls while they happen."""
