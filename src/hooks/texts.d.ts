// The files of this directory are imported as text: they are in the program.
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
