"""The checks of the API contract, by subject; `test_contract.py` lists them."""
