"""`python -m eventcenter` is the program `eventcenter`."""

from eventcenter.cli import main

if __name__ == "__main__":
    main()
