# The image of Rowhouse. It serves the app at /app, which is the to-do example until you mount one of your own:
#   docker run -p 127.0.0.1:3030:3030 -v ./my-app:/app:ro -v my-data:/data rowhouse

FROM node:24-slim AS build
# For the database driver, which is compiled where its authors offer no binary.
RUN apt-get update && apt-get install --yes --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /rowhouse
COPY package.json package-lock.json .npmrc ./
# Without scripts, because the only one of ours compiles the source, which comes next; so that a change of the source does not install anything again.
RUN npm ci --ignore-scripts && npm rebuild better-sqlite3
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-slim
ENV NODE_ENV=production ROWHOUSE_HOST=0.0.0.0 ROWHOUSE_DATA=/data
WORKDIR /rowhouse
COPY --from=build /rowhouse/package.json ./
COPY --from=build /rowhouse/node_modules ./node_modules
COPY --from=build /rowhouse/dist ./dist
COPY --from=build /rowhouse/examples/todo /app
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 3030
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "const { ROWHOUSE_PORT: port, ROWHOUSE_PRIVATE_ACCESS_KEY: key } = process.env; fetch(`http://127.0.0.1:${port || 3030}${key ? `/${key}` : ''}/_/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/rowhouse/dist/bin/rowhouse.js"]
CMD ["start", "/app"]
