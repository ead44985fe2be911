# One file for all services: docker build --build-arg SERVICE=tcp-edge .

# The package files alone, so that sources may change without installing anew.
FROM node:24-trixie-slim AS manifests
WORKDIR /sotto
COPY . .
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete \
 && find . -type d -empty -delete

# What the services need at run time, and nothing else: one layer for all of their images.
FROM manifests AS dependencies
RUN npm ci --ignore-scripts --omit=dev \
      --workspace services/tcp-edge --workspace services/keyserver \
      --workspace services/presence --workspace services/media --workspace infra/admin \
 && npm cache clean --force \
 && ! find libs services infra -name node_modules | grep .

# After the other, not beside it: one installation at a time fits a machine with 1 GB of memory.
FROM dependencies AS build
RUN npm ci --ignore-scripts
COPY . .
RUN node scripts/build.mjs

FROM node:24-trixie-slim
ARG SERVICE
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 SOTTO_ADMIN_HOST=0.0.0.0 SOTTO_ADMIN_PORT=9500
WORKDIR /sotto
COPY --from=dependencies /sotto/node_modules node_modules
COPY --from=build /sotto/dist/libs libs
COPY --from=build /sotto/dist/infra/admin infra/admin
COPY --from=build /sotto/dist/services/$SERVICE services/$SERVICE
COPY infra/docker/healthy /usr/local/bin/healthy
# A new volume takes its owner from the folder that it is mounted on first.
RUN ln -s /sotto/infra/admin/bin/sotto-admin.js /usr/local/bin/sotto-admin \
 && ln -s /sotto/services/$SERVICE /sotto/service \
 && for name in secrets tcp-edge keyserver presence media nats redis nats-data redis-data; do \
      mkdir -p /volumes/$name; done \
 && mkdir -p /data /run/sotto /run/tls \
 && chown -R node:node /volumes /data /run/sotto /run/tls && chmod -R 0700 /volumes /data
USER node
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --start-interval=500ms --retries=3 \
  CMD ["/usr/local/bin/healthy"]
CMD ["node", "/sotto/service/src/main.js"]
