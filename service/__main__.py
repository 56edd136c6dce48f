"""`python -m service` is `augment`."""

from service.cli import main

if __name__ == "__main__":
    main()
