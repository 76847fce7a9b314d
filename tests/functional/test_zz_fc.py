import sys, json, pytest
sys.path[:0]=["."]
from tests.functional.test_faults import *
from tests.functional.conftest import _log
from tests.functional.canaries import watch
from tests.conftest import *
from tests.conftest import _no_aws_account

def show(world, spoil, op):
    if op=="request":
        spoil(world); a=world.request(); n=world.sms(); world.heal(); b=world.request(request_id="r9"); return (a.outcome,n,b.outcome,world.sms(),world.reserved())
    vid,code=world.pending()
    spoil(world); a=world.verify(vid,code); at=world.verification()["attempts"]["N"]; st=world.verification()["state"]["S"]
    world.heal(); b=world.verify(vid,code,"r9"); return (a.outcome,at,st,b.outcome)

def tf(*f): return lambda w: w.transport.faults.extend(f)
ROWS={
 "ok":tf(),
 "dns":tf(never(NotSent("connection"))),
 "read timeout":tf(never(NoAnswer("read_timeout"))),
 "lost":tf(lost(NoAnswer("read_timeout"))),
 **{str(s):tf(instead(s,{})) for s in (400,401,403,404,409,429,500,502,503,504,302,520)},
 "429ra":tf(instead(429,{},7)),
 "html":tf(acted(200,b"<html>")),"empty":tf(acted(200,b"")),"trunc":tf(acted(200,b'{"pinId":')),
 "dup":tf(acted(200,b'{"pinId":"a","pinId":"b"}')),"arr":tf(acted(200,b'[]')),"nan":tf(acted(200,b'{"pinId": NaN}')),
 "refused":lambda w:w.spoil_provider("check" if w.items("V") else "send","refused"),
 "s401":lambda w:w.spoil_provider("check" if w.items("V") else "send","401"),
 "stimeout":lambda w:(w.spoil_provider("check" if w.items("V") else "send","timeout"),setattr(w,"milliseconds",int(http.RESERVE_SECONDS*1000)+SOON)),
 "slost":lambda w:(w.spoil_provider("check" if w.items("V") else "send","lost"),setattr(w,"milliseconds",int(http.RESERVE_SECONDS*1000)+SOON)),
 "sdrip":lambda w:(w.spoil_provider("check" if w.items("V") else "send","drip"),setattr(w,"milliseconds",int(http.RESERVE_SECONDS*1000)+SOON)),
 "vtrue str":tf(edited(verified="true",status="successful",pinId="X",id="X")),
}
@pytest.mark.parametrize("op",["request","verify"])
@pytest.mark.parametrize("row",ROWS)
def test_x(world,row,op):
    import time
    t=time.time()
    r=show(world,ROWS[row],op)
    with open("/tmp/fc_out.txt","a") as f: f.write(f"{op:8}{world.provider:8}{row:14}{r} {time.time()-t:.2f}\n")
