# The image of Rowhouse. It serves the app at /app, which is the to-do example until you mount one of your own:
#   docker run -p 127.0.0.1:3030:3030 -v ./my-app:/app:ro -v my-data:/data rowhouse

FROM node:26-slim AS build
WORKDIR /rowhouse
COPY package.json package-lock.json ./
# Without scripts: the only one of ours compiles the source, which comes next, so that a change of the source does not install anything again; and the Node.js that a clone brings along is here already.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:26-slim
ENV NODE_ENV=production ROWHOUSE_HOST=0.0.0.0 ROWHOUSE_DATA=/data
WORKDIR /rowhouse
COPY --from=build /rowhouse/package.json ./
COPY --from=build /rowhouse/node_modules ./node_modules
COPY --from=build /rowhouse/dist ./dist
COPY --from=build /rowhouse/examples/todo /app
RUN ln -s /rowhouse/dist/bin/rowhouse.js /usr/local/bin/rowhouse && mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3030
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "const { ROWHOUSE_PORT: own, PORT: usual, ROWHOUSE_PRIVATE_ACCESS_KEY: key } = process.env; const port = own && !own.includes(':') ? own : usual || 3030; fetch(`http://127.0.0.1:${port}${key ? `/${key}` : ''}/_/health/live`, { signal: AbortSignal.timeout(4000) }).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/rowhouse/dist/bin/rowhouse.js"]
CMD ["start", "/app"]
