"""`python -m hybrid_memory.cli` is `hm`."""

from hybrid_memory.cli.main import main

if __name__ == "__main__":
    main()
