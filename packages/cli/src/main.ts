// The nodekeeper command.
export {};
