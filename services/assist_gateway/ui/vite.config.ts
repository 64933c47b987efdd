import { defineConfig } from "vite";

// A gateway on this machine answers for the page while it is being worked on (`npm run dev`).
const gateway = "http://127.0.0.1:8080";

export default defineConfig({
  base: "./",
  build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: { proxy: { "/v1": { target: gateway, ws: true } } },
});
