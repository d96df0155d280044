// Some of the tests connect to port 5672 whatever the URL: this sends them to the broker under test.

const net = require('node:net');

const brokerPort = Number(new URL(process.env.URL).port || 5672);
const { connect } = net;

net.connect = (options, ...rest) => {
  const isDefaultPort = Number(options?.port) === 5672;
  return connect(isDefaultPort ? { ...options, port: brokerPort } : options, ...rest);
};
