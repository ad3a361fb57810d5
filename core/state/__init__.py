"""The fast, forgettable side of the house: the port `State` over Redis or Valkey."""
