from tests.simulation.simulation import simulate
import sys,json
r=simulate(int(sys.argv[1]),int(sys.argv[2]),open("/tmp/sim/hist.txt","w"))
print(json.dumps(r.to_json(),ensure_ascii=False,indent=1))
