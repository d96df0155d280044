#!/bin/sh
# Starts the command of the container as user rabbitmq; the broker where there is none, or only options of it.
#
# The broker reads RabbitMQ's variables itself, with those that end in _FILE.
set -eu

case ${1-} in
'' | -*) set -- rabbitmq-server "$@" ;;
esac

# A host with a domain has a node with the whole name.
if [ -z "${RABBITMQ_USE_LONGNAME-}" ] && [ "$(hostname)" != "$(hostname -s)" ]; then
    export RABBITMQ_USE_LONGNAME=true
fi

if [ "$(id -u)" = 0 ]; then
    case $1 in
    rabbitmq-server)
        # A volume that another image or `docker cp` has filled.
        find /var/lib/rabbitmq \! -user rabbitmq -exec chown rabbitmq:rabbitmq '{}' +
        exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups --inh-caps=-all -- "$@"
        ;;
    rabbitmq* | leveret) exec setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups --inh-caps=-all -- "$@" ;;
    esac
fi
exec "$@"
