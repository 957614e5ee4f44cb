# Stages in other distributions.

debian13() { tests/distributions; }
