import { defineConfig } from "vite";

// A gateway on this machine answers for the page while it is being worked on (`npm run dev`).
const gateway = "http://127.0.0.1:8080";

/** Two builds: the console with the file for the browser's audio thread, and (`--mode embed`) one file for other pages. */
export default defineConfig(({ mode }) => {
  const common = { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 };
  if (mode === "embed")
    return {
      publicDir: false,
      build: {
        ...common,
        emptyOutDir: false,
        lib: { entry: "src/embed.ts", formats: ["es"], fileName: () => "embed.js" },
      },
    };
  return {
    base: "./",
    build: {
      ...common,
      rollupOptions: {
        input: { console: "index.html", "listen-worklet": "src/audio/worklet.ts" },
        output: {
          entryFileNames: ({ name }) => (name === "listen-worklet" ? "[name].js" : "assets/[name]-[hash].js"),
        },
      },
    },
    server: { proxy: { "/v1": { target: gateway, ws: true } } },
  };
});
