#!/bin/sh
# Runs a command beside an Avahi that serves the loopback, in namespaces of its
# own, where everything ends with the command:
#
#	unshare -nmpf --mount-proc sh avahi.sh COMMAND...
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/avahi-daemon
cat > /run/bus.conf <<'EOF'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/> <allow own="*"/>
    <allow send_destination="*"/> <allow eavesdrop="true"/> <allow send_type="signal"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
EOF
cat > /run/avahi.conf <<'EOF'
[server]
host-name=avahi-house
use-ipv4=yes
use-ipv6=no
allow-interfaces=lo,house
EOF
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/system_bus_socket
dbus-daemon --config-file=/run/bus.conf --fork --nopidfile
avahi-daemon -f /run/avahi.conf --no-drop-root --no-chroot --no-rlimits > /run/avahi.log 2>&1 &
tries=0
until grep -q 'Server startup complete' /run/avahi.log; do
	tries=$((tries + 1))
	if [ $tries -gt 100 ]; then
		cat /run/avahi.log
		exit 1
	fi
	sleep 0.1
done
exec "$@"
