// Vite builds the worker by itself and gives its address.
declare module "*?worker&url" {
  const address: string;
  export default address;
}
