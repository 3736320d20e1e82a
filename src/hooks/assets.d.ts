// What is installed on machines that boot is imported as text.
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
