// What js-libp2p uses, and Debian's and Node's engines may be too old for. To be imported before it.

Promise.withResolvers ??= function withResolvers() {
  let resolve;
  let reject;
  const promise = new this((accept, refuse) => {
    resolve = accept;
    reject = refuse;
  });
  return { promise, resolve, reject };
};
