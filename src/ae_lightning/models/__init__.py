"""What every model shares: the base that trains and answers, and the bases between it and the variants."""
