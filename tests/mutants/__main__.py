"""`python -m tests.mutants`: see `sample`."""

from tests.mutants.sample import main

raise SystemExit(main())
