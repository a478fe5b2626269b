/** A style sheet imported by the loader becomes its minified text when cargo builds. */
declare module "*.css" {
  const text: string;
  export default text;
}
