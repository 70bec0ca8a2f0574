// The package's public face.
export {};
