"""`python -m bots`: the same as `parley`."""

from bots.cli import main

if __name__ == "__main__":
    main()
