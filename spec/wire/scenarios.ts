/**
 * Dialogues for the comparison with redis-server (`differential.spec.ts`): for each command what it
 * does, its options and their mistakes, and the limits. The notation is that of
 * `support/transcript.ts`. Every dialogue begins with an empty db 0 and new connections.
 */
const { raw } = String;

export const scenarios: { readonly [title: string]: string } = {
  'SET, GET and the arity of requests': raw`
    GET missing
    SET a 1
    GET a
    get a
    GeT a
    SET a
    SET
    GET
    GET a b
    SET "" empty-key
    GET ""
    SET a ""
    GET a
    SET "\x00\r\n\xff" "\x00\r\n\xfe"
    GET "\x00\r\n\xff"
    STRLEN "\x00\r\n\xff"
    EXISTS ""
    DBSIZE`,
  'SET with its options': raw`
    SET a 1 NX
    SET a 2 NX
    SET a 3 XX
    SET b 3 XX
    SET a 4 xx get
    SET a 5 GET NX
    SET b 1 NX GET
    SET c 1 XX GET
    SET a 6 GET
    SET d 6 GET
    GET d
    SET a 7 EX 100
    TTL a
    SET a 8 KEEPTTL
    TTL a
    SET a 9 XX KEEPTTL GET
    TTL a
    SET a 10
    TTL a
    SET a 1 PX 100000
    TTL a
    SET a 1 EXAT 33177117420
    EXPIRETIME a
    SET a 1 PXAT 33177117420123
    PEXPIRETIME a
    SET a 1 EXAT 1
    GET a
    SET a 1 PXAT 1 GET
    EXISTS a`,
  'SET with options that are wrong': raw`
    SET a 1 NX XX
    SET a 1 XX NX
    SET a 1 EX
    SET a 1 EX 10 PX 10
    SET a 1 EX 10 KEEPTTL
    SET a 1 KEEPTTL EX 10
    SET a 1 EX 10 EX 20
    TTL a
    SET a 1 KEEPTTL KEEPTTL
    SET a 1 GET GET
    SET a 1 NX NX
    SET a 1 PERSIST
    SET a 1 foo
    SET a 1 EX foo
    SET a 1 EX 1.5
    SET a 1 EX 0
    SET a 1 EX -1
    SET a 1 PX 0
    SET a 1 PX -1
    SET a 1 EXAT 0
    SET a 1 PXAT -1
    SET a 1 EX 9223372036854775807
    SET a 1 EX 9223372036854775
    SET a 1 PX 9223372036854775807
    SET a 1 EX 9223372036854775808
    SET a 1 EXAT 9223372036854775807
    SET a 1 EX " 1"
    SET a 1 EX +1
    SET a 1 NX EX 0
    SET a 1 foo EX 0
    GET a`,
  'SETEX, PSETEX and SETNX': raw`
    SETEX a 100 v
    TTL a
    PSETEX a 100000 w
    TTL a
    GET a
    SETEX a 0 v
    SETEX a -1 v
    SETEX a foo v
    SETEX a 9223372036854775807 v
    PSETEX a 0 v
    PSETEX a 9223372036854775807 v
    SETEX a 1
    PSETEX a
    SETNX a v
    SETNX b v
    SETNX b
    GET b
    TTL b`,
  'GETSET, GETDEL and GETEX': raw`
    GETSET a 1
    EXPIRE a 100
    GETSET a 2
    TTL a
    GETSET a
    GETDEL a
    GETDEL a
    GETDEL
    GETEX a
    SET a v
    GETEX a
    GETEX a EX 100
    TTL a
    GETEX a PERSIST
    TTL a
    GETEX a PX 100000
    TTL a
    GETEX a EXAT 33177117420
    EXPIRETIME a
    GETEX a PXAT 33177117420001
    PEXPIRETIME a
    GETEX a EX 1 PERSIST
    GETEX a PERSIST EX 1
    GETEX a KEEPTTL
    GETEX a NX
    GETEX a EX
    GETEX a EX 0
    GETEX a EX -5
    GETEX a EX foo
    GETEX a EX 9223372036854775807
    GETEX missing EX 0
    GETEX missing EX 10
    GETEX missing foo
    GETEX a PXAT 1
    EXISTS a`,
  'MGET, MSET and MSETNX': raw`
    MSET a 1 b 2 a 3
    MGET a b c a
    MSET a
    MSET a 1 b
    MSET
    MGET
    MSETNX c 1 a 1
    EXISTS c
    MSETNX c 1 d 2 c 3
    MGET c d
    MSETNX
    MSETNX c
    MSETNX c 1 d
    EXPIRE a 100
    MSET a 5
    TTL a`,
  'APPEND, STRLEN, GETRANGE and SUBSTR': raw`
    APPEND a Hello
    APPEND a " World"
    GET a
    APPEND a ""
    APPEND new ""
    EXISTS new
    APPEND a
    STRLEN a
    STRLEN missing
    STRLEN
    EXPIRE a 100
    APPEND a !
    TTL a
    GETRANGE a 0 3
    GETRANGE a -3 -1
    GETRANGE a 0 -1
    GETRANGE a -100 2
    GETRANGE a 5 3
    GETRANGE a -1 -3
    GETRANGE a 5 1000
    GETRANGE a 100 200
    GETRANGE a -100 -50
    GETRANGE a 0 -100
    GETRANGE a -9223372036854775808 9223372036854775807
    GETRANGE a 0 9223372036854775808
    GETRANGE a x 1
    GETRANGE a 1 x
    GETRANGE a 1
    GETRANGE missing 0 -1
    GETRANGE missing x 1
    SUBSTR a 1 3
    SUBSTR a 1`,
  SETRANGE: raw`
    SETRANGE a 0 Hello
    SETRANGE a 6 World
    GET a
    SETRANGE a 1 XX
    GET a
    SETRANGE a 0 ""
    SETRANGE new 0 ""
    SETRANGE new 5 ""
    EXISTS new
    SETRANGE new 3 x
    GET new
    SETRANGE a -1 x
    SETRANGE a x y
    SETRANGE a 536870912 x
    SETRANGE a 536870911 xx
    SETRANGE a 9223372036854775807 x
    SETRANGE a 9223372036854775808 x
    SETRANGE new2 536870912 ""
    SETRANGE a 4294967296 ""
    SETRANGE a 1
    EXPIRE a 100
    SETRANGE a 0 z
    TTL a
    SET n 12345
    SETRANGE n 0 9
    GET n
    INCR n`,
  LCS: raw`
    MSET a ohmytext b mynewtext
    LCS a b
    LCS a b LEN
    LCS a b len
    LCS a b IDX
    LCS a b IDX MINMATCHLEN 4
    LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
    LCS a b IDX WITHMATCHLEN
    LCS a b LEN IDX
    LCS a b MINMATCHLEN
    LCS a b MINMATCHLEN x
    LCS a b IDX MINMATCHLEN -5
    LCS a b foo
    LCS a
    LCS
    LCS a missing
    LCS missing b IDX
    LCS missing missing2 LEN
    LCS a b WITHMATCHLEN
    LCS a a IDX
    MSET x "aaaa\x00b" y "\x00aab"
    LCS x y
    LCS x y IDX WITHMATCHLEN
    MSET p abcdefabc q abcxabc
    LCS p q IDX WITHMATCHLEN
    LCS q p IDX WITHMATCHLEN`,
  'INCR, DECR, INCRBY and DECRBY': raw`
    INCR a
    INCR a
    DECR a
    INCRBY a 10
    DECRBY a 3
    INCRBY a -10
    DECRBY a -3
    GET a
    DECR new
    OBJECT ENCODING a
    EXPIRE a 100
    INCR a
    TTL a
    SET a 9223372036854775807
    INCR a
    INCRBY a 1
    DECR a
    SET a -9223372036854775808
    DECR a
    DECRBY a 1
    INCR a
    DECRBY a -9223372036854775808
    DECRBY b 9223372036854775807
    INCRBY a 9223372036854775808
    INCRBY a x
    INCRBY a 1.0
    INCRBY a " 1"
    INCRBY a "1 "
    INCRBY a +1
    INCRBY a -0
    INCRBY a 01
    INCRBY a ""
    INCRBY a
    INCR
    DECR a b
    SET c " 1"
    INCR c
    SET c 1.5
    INCR c
    SET c 01
    INCR c
    SET c -0
    INCR c
    SET c ""
    INCR c
    SET c 9223372036854775808
    INCR c
    SET c abc
    DECRBY c 1
    SET c "1\x00"
    INCR c
    SET c -1
    INCR c
    GET c`,
  INCRBYFLOAT: raw`
    INCRBYFLOAT a 1.5
    INCRBYFLOAT a 1.5
    INCRBYFLOAT a -0.1
    INCRBYFLOAT a 1e3
    SET a 3.0e3
    INCRBYFLOAT a 0
    INCRBYFLOAT a 200
    SET a 10.50
    INCRBYFLOAT a 0.1
    SET a 5.0e3
    INCRBYFLOAT a 2.0e2
    SET a 0.1
    INCRBYFLOAT a 0.2
    SET a 1
    INCRBYFLOAT a 1.1
    INCRBYFLOAT a -2.1
    SET a 0
    INCRBYFLOAT a 1e-10
    INCRBYFLOAT a 1e-17
    SET a 0
    INCRBYFLOAT a 1e-18
    SET a 123456789012345678
    INCRBYFLOAT a 0.5
    SET a 17179869184
    INCRBYFLOAT a 1.5
    SET a 1
    INCRBYFLOAT a 1e17
    INCRBYFLOAT a 1e100
    SET a 1
    INCRBYFLOAT a 3.14159265358979323846
    INCRBYFLOAT a inf
    INCRBYFLOAT a -inf
    INCRBYFLOAT a nan
    INCRBYFLOAT a infinity
    INCRBYFLOAT a x
    INCRBYFLOAT a ""
    INCRBYFLOAT a " 1"
    INCRBYFLOAT a "1 "
    INCRBYFLOAT a 0x10
    INCRBYFLOAT a 0x1p3
    INCRBYFLOAT a +1
    INCRBYFLOAT a .5
    INCRBYFLOAT a 5.
    INCRBYFLOAT a 1e
    INCRBYFLOAT a -0
    INCRBYFLOAT a 1e5000
    INCRBYFLOAT a
    INCRBYFLOAT new -0.0
    INCRBYFLOAT new2 0
    GET new2
    SET b abc
    INCRBYFLOAT b 1
    SET b " 1"
    INCRBYFLOAT b 1
    SET b "1 "
    INCRBYFLOAT b 1
    SET b ""
    INCRBYFLOAT b 1
    SET b inf
    INCRBYFLOAT b 1
    EXPIRE a 100
    INCRBYFLOAT a 1
    TTL a
    OBJECT ENCODING a`,
  'SETBIT and GETBIT': raw`
    SETBIT a 7 1
    SETBIT a 7 0
    SETBIT a 0 1
    SETBIT a 20 1
    GET a
    GETBIT a 0
    GETBIT a 1
    GETBIT a 20
    GETBIT a 100
    GETBIT missing 5
    GETBIT a 4294967295
    GETBIT a 4294967296
    SETBIT a 4294967296 1
    SETBIT a -1 1
    GETBIT a -1
    SETBIT a x 1
    GETBIT a x
    SETBIT a 1 2
    SETBIT a 1 x
    SETBIT a 1 -1
    SETBIT a 1
    GETBIT a
    SETBIT zero 9 0
    GET zero
    EXPIRE a 100
    SETBIT a 3 1
    TTL a
    SET n 5
    SETBIT n 6 1
    GET n
    GETBIT n 2`,
  BITCOUNT: raw`
    SET a foobar
    BITCOUNT a
    BITCOUNT a 0 0
    BITCOUNT a 1 1
    BITCOUNT a 0 -1
    BITCOUNT a -2 -1
    BITCOUNT a 1 1 BYTE
    BITCOUNT a 5 30 BIT
    BITCOUNT a 5 30 bit
    BITCOUNT a -10 -1 BIT
    BITCOUNT a 3 2
    BITCOUNT a -1 -3
    BITCOUNT a 100 200
    BITCOUNT a -200 -100
    BITCOUNT a -200 100
    BITCOUNT a 0
    BITCOUNT a 0 x
    BITCOUNT a x 0
    BITCOUNT a 0 1 foo
    BITCOUNT a 0 1 BIT BIT
    BITCOUNT missing
    BITCOUNT missing 0 -1
    BITCOUNT missing 0
    BITCOUNT missing 0 x
    BITCOUNT missing 0 1 foo
    BITCOUNT a 0 9223372036854775807
    BITCOUNT a -9223372036854775808 0 BIT
    BITCOUNT a 0 9223372036854775807 BIT
    BITCOUNT`,
  BITPOS: raw`
    SET a "\xff\xf0\x00"
    BITPOS a 0
    BITPOS a 1
    BITPOS a 1 2
    BITPOS a 0 1
    BITPOS a 0 0 0
    BITPOS a 1 2 -1
    BITPOS a 0 0 0 BIT
    BITPOS a 0 5 15 BIT
    BITPOS a 1 5 15 bit
    BITPOS a 1 -1 -1 BYTE
    BITPOS a 0 -3 -1
    BITPOS a 1 12 -1 BIT
    BITPOS a 1 100
    BITPOS a 0 100
    BITPOS a 0 3 2
    BITPOS a 1 3 2
    SET all "\xff\xff"
    BITPOS all 0
    BITPOS all 0 0
    BITPOS all 0 0 -1
    BITPOS all 0 0 -1 BIT
    BITPOS all 0 1
    SET none "\x00\x00"
    BITPOS none 1
    BITPOS none 1 0 -1
    SET empty ""
    BITPOS empty 0
    BITPOS empty 1
    BITPOS missing 0
    BITPOS missing 1
    BITPOS missing 0 0 -1
    BITPOS missing 1 x
    BITPOS missing 2
    BITPOS a 2
    BITPOS a x
    BITPOS a -1
    BITPOS a 1 x
    BITPOS a 1 0 x
    BITPOS a 1 0 1 foo
    BITPOS a 1 0 1 BIT foo
    BITPOS a 1 -9223372036854775808 9223372036854775807
    BITPOS a 1 -9223372036854775808 9223372036854775807 BIT
    BITPOS a
    BITPOS`,
  'DEL, UNLINK, EXISTS, TOUCH and TYPE': raw`
    MSET a 1 b 2 c 3
    EXISTS a
    EXISTS a a b x
    TOUCH a a x
    TYPE a
    TYPE x
    DEL a x a
    UNLINK b b x
    EXISTS a b c
    DEL
    UNLINK
    EXISTS
    TOUCH
    TYPE
    TYPE a b
    DEL c
    DEL c
    DBSIZE`,
  'EXPIRE and its kin': raw`
    EXPIRE missing 10
    SET a 1
    TTL a
    PTTL a
    TTL missing
    PTTL missing
    EXPIRETIME a
    PEXPIRETIME a
    EXPIRETIME missing
    PEXPIRETIME missing
    EXPIRE a 100
    TTL a
    ?PTTL a
    PEXPIRE a 99600
    TTL a
    PEXPIRE a 99400
    TTL a
    EXPIREAT a 33177117420
    EXPIRETIME a
    PEXPIRETIME a
    PEXPIREAT a 33177117420555
    PEXPIRETIME a
    EXPIRETIME a
    PEXPIREAT a 33177117420455
    EXPIRETIME a
    PERSIST a
    PERSIST a
    PERSIST missing
    TTL a
    EXPIRE a 0
    EXISTS a
    SET a 1
    EXPIRE a -1
    EXISTS a
    SET a 1
    PEXPIRE a 0
    EXISTS a
    SET a 1
    EXPIREAT a 1
    EXISTS a
    SET a 1
    PEXPIREAT a -5
    EXISTS a
    SET a 1
    EXPIRE a x
    EXPIRE a 1.5
    EXPIRE a 9223372036854775807
    EXPIRE a -9223372036854775808
    EXPIRE a 9223372036854775
    EXPIRE a 9223372036854776
    PEXPIRE a 9223372036854775807
    EXPIREAT a 9223372036854775807
    EXPIREAT a 9223372036854775808
    EXPIRE a
    EXPIRE
    TTL
    PTTL a b
    PERSIST
    EXPIRETIME
    TTL a`,
  'EXPIRE with conditions': raw`
    SET a 1
    EXPIRE a 100 XX
    EXPIRE a 100 GT
    EXPIRE a 100 NX
    EXPIRE a 200 NX
    EXPIRE a 50 GT
    TTL a
    EXPIRE a 200 GT
    TTL a
    EXPIRE a 300 LT
    EXPIRE a 100 lt
    TTL a
    EXPIRE a 150 XX GT
    EXPIRE a 120 XX LT
    TTL a
    PERSIST a
    EXPIRE a 50 LT
    TTL a
    PERSIST a
    EXPIRE a 50 XX LT
    EXPIRE a 10 NX XX
    EXPIRE a 10 NX GT
    EXPIRE a 10 LT NX
    EXPIRE a 10 GT LT
    EXPIRE a 10 XX GT LT
    EXPIRE a 10 NX NX
    EXPIRE a 10 foo
    EXPIRE a 10 NX foo
    EXPIRE a x foo
    EXPIRE missing 10 NX XX
    EXPIRE missing 10 foo
    EXPIRE missing x
    EXPIRE a -1 GT
    EXISTS a
    EXPIRE a -1 LT
    EXISTS a
    SET a 1
    EXPIRE a -1 NX
    EXISTS a
    SET a 1 PXAT 33177117420555
    PEXPIREAT a 33177117420555 GT
    PEXPIREAT a 33177117420555 LT
    PEXPIREAT a 33177117420556 GT
    EXPIREAT a 33177117420 LT XX
    PEXPIRETIME a`,
  'a key is gone when its time is up': raw`
    SET a 1 PX 20
    SET b 1 PX 30
    SET c 1
    GET a
    sleep 60
    GET a
    EXISTS a b c
    TTL a
    @KEYS *
    TYPE b
    SET a 2 XX
    SET a 2 NX
    TTL a
    APPEND b x
    TTL b
    SETNX b y
    RENAME missing a
    RANDOMKEY x`,
  'KEYS and its patterns': raw`
    MSET one 1 two 2 three 3 four 4 h*llo 5 h[llo 6 "a\nb" 7 {x}y 8
    @KEYS *
    @KEYS *o*
    @KEYS t??
    @KEYS [of]*
    @KEYS [^of]*
    @KEYS [a-f]*
    @KEYS [f-a]*
    KEYS h\\*llo
    KEYS h\\[llo
    @KEYS h[\\*\\[]llo
    KEYS h[[]llo
    KEYS "a\nb"
    KEYS a?b
    KEYS x
    KEYS ""
    KEYS [
    KEYS one\\
    KEYS on[e
    @KEYS **e**
    KEYS {x}*
    KEYS ONE
    KEYS [^]
    KEYS o[^]ne
    KEYS
    KEYS a b
    SELECT 1
    KEYS *`,
  SCAN: raw`
    SCAN 0
    MSET k1 1 k2 2 k3 3 x1 4
    @SCAN 0 COUNT 100
    @SCAN 0 MATCH k* COUNT 100
    @SCAN 0 COUNT 100 MATCH k[12]
    @SCAN 0 COUNT 100 TYPE string
    @SCAN 0 COUNT 100 TYPE STRING
    SCAN 0 COUNT 100 TYPE list
    SCAN 0 COUNT 100 TYPE nonsense
    SCAN 0 MATCH nothing COUNT 100
    SCAN x
    SCAN -1
    @SCAN "" COUNT 100
    SCAN " 0"
    SCAN 99999999999999999999999
    SCAN 0 COUNT
    SCAN 0 COUNT x
    SCAN 0 COUNT 0
    SCAN 0 COUNT -1
    SCAN 0 MATCH
    SCAN 0 foo
    SCAN 0 foo bar
    SCAN 0 COUNT 10 foo bar
    SCAN x foo
    SCAN`,
  'RANDOMKEY, DBSIZE, FLUSHDB and FLUSHALL': raw`
    RANDOMKEY
    SET only 1
    RANDOMKEY
    RANDOMKEY x
    DBSIZE
    DBSIZE x
    SELECT 3
    SET a 1
    SET b 1
    DBSIZE
    FLUSHDB
    DBSIZE
    SET a 1
    SELECT 0
    DBSIZE
    FLUSHDB ASYNC
    DBSIZE
    SELECT 3
    DBSIZE
    FLUSHALL SYNC
    DBSIZE
    FLUSHDB foo
    FLUSHDB SYNC ASYNC
    FLUSHALL foo
    FLUSHALL async
    RANDOMKEY`,
  'RENAME and RENAMENX': raw`
    RENAME a b
    RENAMENX a b
    SET a 1 EX 100
    SET b 2
    RENAME a b
    GET b
    TTL b
    EXISTS a
    RENAME b b
    TTL b
    RENAMENX b b
    SET c 3
    RENAMENX b c
    RENAMENX c d
    GET d
    RENAME missing missing
    RENAMENX missing missing
    RENAME a
    RENAMENX a b c
    SET e 5
    RENAME e b
    TTL b`,
  'COPY and MOVE': raw`
    COPY a b
    SET a 1 EX 100
    COPY a b
    TTL b
    COPY a b
    SET a 2
    COPY a b REPLACE
    GET b
    TTL b
    COPY a a
    COPY a a DB 1
    COPY a a DB 0
    COPY a x DB 99
    COPY a x DB -1
    COPY a x DB foo
    COPY a x DB
    COPY a x foo
    COPY a x replace db 2
    COPY missing a REPLACE
    COPY missing missing
    COPY a
    SELECT 2
    GET x
    MOVE x 0
    MOVE x 0
    SELECT 0
    GET x
    MOVE x 0
    MOVE x 99
    MOVE x -1
    MOVE x foo
    MOVE missing 1
    MOVE missing 0
    MOVE x
    SELECT 1
    SET x other
    SELECT 0
    MOVE x 1
    EXPIRE a 100
    MOVE a 5
    SELECT 5
    TTL a
    FLUSHALL`,
  'OBJECT and MEMORY': raw`
    SET i 12345
    SET s short
    SET l 0123456789012345678901234567890123456789012345
    SET e 01234567890123456789012345678901234567890123
    SET x 012345678901234567890123456789012345678901234
    SET z ""
    SET big 9223372036854775807
    SET over 9223372036854775808
    SET neg -5
    SET lead 007
    OBJECT ENCODING i
    OBJECT ENCODING s
    OBJECT ENCODING l
    OBJECT ENCODING e
    OBJECT ENCODING x
    OBJECT ENCODING z
    OBJECT ENCODING big
    OBJECT ENCODING over
    OBJECT ENCODING neg
    OBJECT ENCODING lead
    OBJECT encoding missing
    SET changed short
    APPEND changed x
    OBJECT ENCODING changed
    SET counted 5
    APPEND counted 6
    INCR counted
    OBJECT ENCODING counted
    OBJECT REFCOUNT s
    OBJECT REFCOUNT missing
    OBJECT IDLETIME s
    OBJECT IDLETIME missing
    OBJECT FREQ s
    OBJECT FREQ missing
    OBJECT HELP
    OBJECT
    OBJECT FOO
    OBJECT FOO s
    OBJECT ENCODING
    OBJECT ENCODING a b
    ?MEMORY USAGE s
    MEMORY USAGE missing
    ?MEMORY USAGE s SAMPLES 5
    MEMORY USAGE s SAMPLES x
    MEMORY USAGE s SAMPLES -1
    MEMORY USAGE s foo
    MEMORY USAGE
    MEMORY FOO
    MEMORY`,
  'MULTI, EXEC and DISCARD': raw`
    EXEC
    DISCARD
    MULTI
    SET a 1
    INCR a
    GET a
    EXEC
    GET a
    MULTI
    EXEC
    MULTI
    SET a x
    DISCARD
    GET a
    MULTI
    MULTI
    SET a 5
    EXEC
    GET a
    MULTI
    SET a 6
    FOO
    EXEC
    GET a
    MULTI
    SET a
    GET a
    EXEC
    MULTI
    SET a v
    INCR a
    APPEND a x
    EXEC
    GET a
    MULTI
    WATCH a
    SET a 9
    EXEC
    MULTI
    UNWATCH
    SELECT 1
    SET inner 1
    EXEC
    GET inner
    SELECT 0
    MULTI x
    EXEC x
    DISCARD x
    MULTI
    PING
    ECHO hi
    MGET a b
    DBSIZE
    EXPIRE a 100
    TTL a
    DEL a
    FLUSHALL
    EXEC
    MULTI
    MSETNX m 1 n 2
    RENAME m o
    COPY o p
    @KEYS *
    RANDOMKEY x
    EXEC`,
  WATCH: raw`
    a: SET k 1
    a: WATCH k
    a: MULTI
    a: SET k 2
    a: EXEC
    a: WATCH k other
    b: SET k 3
    a: MULTI
    a: GET k
    a: EXEC
    a: MULTI
    a: GET k
    a: EXEC
    a: WATCH missing
    b: SET missing 1
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: SET k 4
    a: UNWATCH
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: SET k 5
    a: MULTI
    a: DISCARD
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    a: SET k own
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: GET k
    b: DEL nothing
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: EXPIRE k 100
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: DEL k
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH k
    b: FLUSHALL
    a: MULTI
    a: PING
    a: exec
    a: SET k 1
    a: WATCH k
    b: FLUSHDB
    a: MULTI
    a: PING
    a: EXEC
    a: WATCH
    a: WATCH k
    b: SELECT 1
    b: SET k 1
    a: MULTI
    a: PING
    a: EXEC
    b: FLUSHALL`,
  'PING, ECHO, SELECT, QUIT and RESET': raw`
    PING
    PING hello
    PING "\r\n"
    PING a b
    ECHO hello
    ECHO
    ECHO a b
    SELECT 1
    SELECT 15
    SELECT 16
    SELECT -1
    SELECT foo
    SELECT 99999999999999999999
    SELECT
    SELECT 0 0
    SET in0 1
    SELECT 3
    MULTI
    RESET
    GET in0
    EXEC
    RESET x
    QUIT
    PING`,
  HELLO: raw`
    HELLO 4
    HELLO 1
    HELLO x
    HELLO 2 FOO
    HELLO 2 AUTH
    HELLO 2 AUTH default
    ?HELLO 2 AUTH default pass
    HELLO 2 AUTH nobody pass
    HELLO 2 SETNAME
    HELLO 2 SETNAME "a b"
    ?HELLO 2 SETNAME me
    CLIENT GETNAME
    HELLO 9 SETNAME other
    CLIENT GETNAME
    ?HELLO 3 SETNAME me3
    CLIENT GETNAME
    GET missing
    ?HELLO 2
    GET missing
    HELLO 3 FOO bar`,
  'RESP3 types': raw`
    HELLO 3 FOO
    GET missing
    MGET a b
    MULTI
    EXEC
    MULTI
    GET missing
    EXEC
    WATCH a
    SET a 1
    MULTI
    EXEC
    CONFIG GET port-nothing
    CONFIG GET appendonly
    CONFIG GET maxmemory
    SET x 1 NX
    SET x 1 NX
    SET x 1 GET XX
    LCS a x IDX
    COMMAND INFO nothing get
    COMMAND GETKEYS GET a`,
  AUTH: raw`
    AUTH
    AUTH pass
    AUTH default pass
    AUTH nobody pass
    AUTH a b c
    a: CONFIG SET requirepass secret
    b: PING
    b: HELLO 2
    b: HELLO 3 AUTH default wrong
    b: HELLO 3 SETNAME x
    b: GET a
    b: FOO
    b: SET
    b: AUTH wrong
    b: AUTH default wrong
    b: AUTH nobody secret
    b: AUTH secret x
    b: RESET
    b: ?HELLO 2 AUTH default secret SETNAME me
    b: CLIENT GETNAME
    b: PING
    b: RESET
    b: PING
    b: AUTH secret
    b: PING
    c: AUTH default secret
    c: PING
    c: CONFIG GET requirepass
    a: CONFIG SET requirepass ""
    c: AUTH secret
    a: PING`,
  'CLIENT names and facts': raw`
    CLIENT GETNAME
    CLIENT SETNAME me
    CLIENT GETNAME
    CLIENT SETNAME "a b"
    CLIENT SETNAME "a\nb"
    CLIENT SETNAME "\xe9"
    CLIENT SETNAME ""
    CLIENT GETNAME
    CLIENT SETNAME
    CLIENT GETNAME x
    ?CLIENT ID
    CLIENT ID x
    CLIENT
    CLIENT FOO
    CLIENT foo bar
    CLIENT NO-EVICT
    CLIENT NO-EVICT ON
    CLIENT NO-EVICT off
    CLIENT NO-EVICT foo
    CLIENT GETREDIR
    CLIENT REPLY
    CLIENT REPLY foo
    CLIENT PAUSE
    CLIENT PAUSE x
    CLIENT PAUSE -1
    CLIENT PAUSE 0
    CLIENT PAUSE 0 WRITE
    CLIENT PAUSE 0 foo
    CLIENT UNPAUSE
    CLIENT UNPAUSE x
    CLIENT LIST TYPE
    CLIENT LIST TYPE foo
    CLIENT LIST TYPE master
    CLIENT LIST ID
    CLIENT LIST ID x
    CLIENT LIST ID 0
    CLIENT LIST ID 99999
    CLIENT LIST foo
    CLIENT INFO x
    CLIENT KILL
    CLIENT KILL 1.2.3.4:5
    CLIENT KILL ID 99999
    CLIENT KILL ID x
    CLIENT KILL ID 0
    CLIENT KILL ID -1
    CLIENT KILL TYPE foo
    CLIENT KILL TYPE master
    CLIENT KILL ADDR 1.2.3.4:5
    CLIENT KILL LADDR 1.2.3.4:5
    CLIENT KILL USER nobody
    CLIENT KILL USER default SKIPME foo
    CLIENT KILL foo bar
    CLIENT KILL ID 1 foo
    CLIENT UNBLOCK 99999
    CLIENT UNBLOCK x
    CLIENT TRACKING OFF
    CLIENT CACHING YES`,
  'CLIENT LIST and INFO have the fields of Redis in their order': raw`
    a: CLIENT SETNAME first
    a: SELECT 3
    b: PING
    a: ?CLIENT INFO
    a: ?CLIENT LIST ID 99999999
    b: CLIENT SETNAME other
    b: MULTI
    b: SET a 1
    a: ?CLIENT LIST TYPE pubsub`,
  'CLIENT REPLY': raw`
    SET a 1
    ~CLIENT REPLY OFF
    ~SET a 2
    ~FOO
    CLIENT REPLY ON
    GET a
    ~CLIENT REPLY SKIP
    ~SET a 3
    GET a
    CLIENT REPLY ON
    MULTI
    CLIENT REPLY ON
    EXEC`,
  'CLIENT KILL closes other clients': raw`
    a: PING
    b: PING
    a: CLIENT KILL TYPE normal
    b: PING
    a: PING
    a: CLIENT KILL TYPE normal SKIPME no
    a: PING`,
  CONFIG: raw`
    CONFIG
    CONFIG FOO
    CONFIG GET
    CONFIG GET nothing
    CONFIG GET appendonly
    CONFIG GET APPENDONLY
    CONFIG GET save
    CONFIG GET databases
    CONFIG GET timeout
    CONFIG GET maxmemory
    CONFIG GET maxmemory-policy
    CONFIG GET proto-max-bulk-len
    CONFIG GET maxclients
    CONFIG GET replica-read-only
    CONFIG GET slave-read-only
    CONFIG GET requirepass
    @CONFIG GET timeout maxclients
    @CONFIG GET timeou[t] timeout
    CONFIG GET client-query-buffer-limit
    CONFIG GET hash-max-listpack-entries
    CONFIG SET
    CONFIG SET timeout
    CONFIG SET timeout 0 maxclients
    CONFIG SET nothing 1
    CONFIG SET timeout x
    CONFIG SET timeout -1
    CONFIG SET timeout 100
    CONFIG GET timeout
    CONFIG SET timeout 0 timeout 1
    CONFIG SET timeout 0
    CONFIG SET port-nothing 1 timeout 5
    CONFIG GET timeout
    CONFIG SET databases 4
    CONFIG SET protected-mode maybe
    CONFIG SET proto-max-bulk-len 2mb
    CONFIG GET proto-max-bulk-len
    CONFIG SET proto-max-bulk-len 536870912
    CONFIG SET proto-max-bulk-len 1
    CONFIG SET maxclients 0
    CONFIG SET loglevel foo
    CONFIG RESETSTAT
    CONFIG RESETSTAT x
    CONFIG REWRITE x`,
  'COMMAND and its subcommands': raw`
    COMMAND FOO
    COMMAND COUNT x
    COMMAND INFO nothing
    COMMAND INFO set getex
    COMMAND INFO get setnx setex psetex getset getdel mget mset msetnx append strlen
    COMMAND INFO getrange substr setrange incr decr incrby decrby incrbyfloat lcs
    COMMAND INFO setbit getbit bitcount bitpos del unlink exists touch type keys
    COMMAND INFO expire pexpire expireat pexpireat ttl pttl expiretime pexpiretime persist
    COMMAND INFO randomkey rename renamenx copy move dbsize flushdb flushall scan
    COMMAND INFO multi exec discard watch unwatch ping echo select quit hello auth reset
    COMMAND INFO time role wait info shutdown readonly readwrite asking
    COMMAND INFO config|get config|set object|encoding memory|usage client|list client|kill
    COMMAND LIST FILTERBY
    COMMAND LIST FILTERBY foo bar
    COMMAND LIST foo
    COMMAND LIST FILTERBY PATTERN nothing*
    @COMMAND LIST FILTERBY PATTERN mset*
    COMMAND LIST FILTERBY MODULE nothing
    COMMAND GETKEYS
    COMMAND GETKEYS GET
    COMMAND GETKEYS GET a
    COMMAND GETKEYS MSET a 1 b 2
    COMMAND GETKEYS MSET a 1 b
    COMMAND GETKEYS MGET a b c
    COMMAND GETKEYS PING
    COMMAND GETKEYS FOO
    COMMAND GETKEYS SET a
    COMMAND GETKEYS RENAME a b
    COMMAND GETKEYS COPY a b DB 1
    COMMAND GETKEYS LCS a b
    COMMAND GETKEYS OBJECT ENCODING a
    COMMAND GETKEYS MEMORY USAGE a
    COMMAND GETKEYS CONFIG GET a
    COMMAND DOCS nothing
    COMMAND HELP x`,
  'what Redis knows and this version does not is an error, and the connection stays': raw`
    FOO
    foo bar
    FOO a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s
    FOO "a\r\nb" "\x00\xff"
    FOO "\xff"
    0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890 x
    "" x
    FOO 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890 x
    "G\nT" a
    PING`,
  'what a server that is no cluster says': raw`
    CLUSTER INFO
    CLUSTER SLOTS
    CLUSTER NODES
    CLUSTER
    CLUSTER FOO
    CLUSTER KEYSLOT a
    READONLY
    READWRITE
    ASKING
    READONLY x
    ROLE x`,
  'TIME, ROLE, WAIT, INFO and DEBUG': raw`
    ?TIME
    TIME x
    ?ROLE
    WAIT 0 0
    WAIT 0 100
    WAIT x 0
    WAIT 0 x
    WAIT 0 -1
    WAIT 0
    INFO nothing
    INFO cluster
    ?DEBUG SLEEP 0
    DEBUG
    SHUTDOWN foo
    SHUTDOWN NOSAVE SAVE
    SHUTDOWN ABORT
    SHUTDOWN ABORT NOSAVE`,
  'errors are counted by their first word': raw`
    CONFIG RESETSTAT
    FOO
    GET
    SET a x
    INCR a
    EXEC
    INFO errorstats`,
  'a long pipeline keeps its order': Array.from(
    { length: 400 },
    (_, i) => ['INCR n', `SET k${i % 7} ${i}`, `GET k${i % 5}`, `APPEND s x`, `MGET n k1 s`][i % 5],
  ).join('\n'),
};

/** Raw input, sent as it is; the connection is closed behind it (half, so that replies still come). */
export const inputs: { readonly [title: string]: string } = {
  'inline requests': 'PING\r\nSET a 1\nGET a\r\n',
  'inline quotes': 'SET a "x\\x41\\n\\"y"\r\nGET a\r\nSET \'it\\\'s\' b\r\nGET "it\'s"\r\n',
  'unbalanced quotes': 'SET a "x\r\nPING\r\n',
  'text behind a closing quote': 'SET a "x"y\r\nPING\r\n',
  'empty lines and empty arrays': '\r\n\n*0\r\n*-1\r\n*-5\r\n   \r\nPING\r\n',
  'inline and multibulk in one packet': 'PING\r\n*1\r\n$4\r\nPING\r\nPING a\r\n',
  'a count that is no number': '*abc\r\nPING\r\n',
  'a count that is empty': '*\r\nPING\r\n',
  'a count with a sign': '*+1\r\n$4\r\nPING\r\n',
  'a count with a blank': '* 1\r\n$4\r\nPING\r\n',
  'a count with leading zeros': '*01\r\n$4\r\nPING\r\n',
  'a count beyond the integers': '*99999999999999999999\r\nPING\r\n',
  'a count above 2^31-1': '*2147483648\r\n',
  'a bulk that is none': '*1\r\nPING\r\n',
  'a bulk that is an integer': '*2\r\n$3\r\nGET\r\n:5\r\n',
  'a negative bulk': '*1\r\n$-1\r\nPING\r\n',
  'a bulk length that is no number': '*1\r\n$x\r\nPING\r\n',
  'an empty bulk length': '*1\r\n$\r\nPING\r\n',
  'a bulk above proto-max-bulk-len': '*1\r\n$536870913\r\n',
  'a bulk length beyond the integers': '*1\r\n$99999999999999999999\r\n',
  'an empty bulk': '*2\r\n$4\r\nPING\r\n$0\r\n\r\n',
  'an empty command name': '*1\r\n$0\r\n\r\nPING\r\n',
  'requests before a mistake are answered': '*1\r\n$4\r\nPING\r\n*1\r\n$x\r\nPING\r\n',
  'a bulk longer than its length': '*2\r\n$4\r\nECHO\r\n$2\r\nabcd\r\nPING\r\n',
  'a request that ends too early': '*2\r\n$3\r\nGET\r\n$5\r\nab',
  'headers ended by LF alone': '*1\n$4\nPING\nPING\r\n',
  'a reply as a request': '+PONG\r\n:1\r\n-ERR\r\n',
  'QUIT, and what follows': 'PING\r\nQUIT\r\nPING\r\n',
  'too much inline': `${'x'.repeat(70_000)}`,
  'a very long count': `*${'1'.repeat(70_000)}`,
  'a very long bulk header': `*1\r\n$${'1'.repeat(70_000)}`,
};
