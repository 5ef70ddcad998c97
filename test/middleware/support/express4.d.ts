/** Express 4 under the name by which it is installed beside Express 5. */
declare module 'express4' {
  import express from 'express'

  export default express
}
