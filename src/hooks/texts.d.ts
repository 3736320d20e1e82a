/** A file of this directory, as text: it is in the program. */
declare module '*.sh' {
  const text: string;
  export default text;
}
declare module '*.service' {
  const text: string;
  export default text;
}
declare module '*.conf' {
  const text: string;
  export default text;
}
