# Stages in other distributions.

# As a user's build, where warnings are no errors; but there are to be none.
debian13() {
  tests/distributions
  ! grep -qE '\.[ch]pp:[0-9]+:[0-9]+: warning:' "$logs/debian13.log"
}
