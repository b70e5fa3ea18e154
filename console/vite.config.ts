import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    target: 'es2022',
    cssTarget: ['chrome119', 'firefox120', 'safari17.1'], // browsers of the last three years
    emptyOutDir: true,
    assetsInlineLimit: 0, // the Content-Security-Policy forbids data: URLs
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
