#!/bin/sh
# Runs one command so that it cannot outlive the process that started this script.
#
#   supervise.sh GRACE_SECONDS LOG_FILE COMMAND [ARGUMENT…]
#
# Must be a process group of its own. Descriptor 3 is a pipe whose other end only the
# owner holds: when it closes (the owner asked, exited or was killed), the whole group
# gets SIGTERM and, GRACE_SECONDS later, SIGKILL. The command's pid goes to stdout;
# the exit code is the command's.
grace=$1
log=$2
shift 2

# The owner decides when to stop; a hang-up or Ctrl-C in its terminal does not.
trap '' HUP INT

"$@" </dev/null >>"$log" 2>&1 3<&- &
command_pid=$!
trap 'kill -TERM "$command_pid" 2>/dev/null' TERM

(
  trap '' TERM
  while read -r _ <&3; do :; done
  kill -TERM "-$$"
  ticks=$((grace * 20))
  while [ "$ticks" -gt 0 ] && kill -0 "$command_pid"; do
    sleep 0.05
    ticks=$((ticks - 1))
  done
  kill -KILL "-$$"
) >/dev/null 2>&1 &
watcher_pid=$!

echo "$command_pid"
exec >/dev/null 3<&-

wait "$command_pid"
code=$?
# A trapped SIGTERM ends `wait` early: keep waiting while the command lives.
while kill -0 "$command_pid" 2>/dev/null; do
  wait "$command_pid"
  code=$?
done
kill -KILL "$watcher_pid" 2>/dev/null
exit "$code"
