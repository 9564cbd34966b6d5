#!/bin/sh
# The whole recipe, from data sets to weights; given again, it goes on where it was.
#
#     WORK=work/nano DATA=../../../shared/data/train_val sh run.sh
#
# First the data sets of LEFT_OUT are judged and not learned from, which says what the weights are worth on what they never saw; then
# boxes and points become masks by the network's own votes, and all is learned from. PYTHON may be "nice -n 19 python".
set -eu
cd "$(dirname "$0")"
WORK=${WORK:-work/nano}
DATA=${DATA:-../../../shared/data/train_val}
PYTHON=${PYTHON:-python}
LEFT_OUT=${LEFT_OUT:-tnbc_he_nuclei pbc_blood_boxes wsu_plant_em}
ALONE=${ALONE:-8000}
STEPS=${STEPS:-40000}
OPTIONS=${OPTIONS:---bfloat16 --early-every 4}

scenes() {
    for seed in "$@"; do
        [ -e "$WORK/scenes/done_$seed" ] || $PYTHON -m scenes.make --out "$WORK/scenes" --count 1200 --seed "$seed"
        touch "$WORK/scenes/done_$seed"
    done
}

mkdir -p "$WORK/scenes"
[ -e "$WORK/shards/done" ] || $PYTHON pack.py --data "$DATA" --out "$WORK/shards"
touch "$WORK/shards/done"
[ -e "$WORK/scenes/done_sections" ] || $PYTHON -m scenes.sections --out "$WORK/scenes" --count 160
touch "$WORK/scenes/done_sections"
scenes 0
scenes 1 2 3 &
for until in $((ALONE / 8)) "$ALONE"; do
    # shellcheck disable=SC2086
    $PYTHON train.py --shards "$WORK/shards" "$WORK/scenes" --out "$WORK/run" --steps "$STEPS" --until "$until" --leave-out $LEFT_OUT $OPTIONS
    wait
done
[ -e "$WORK/refined/done" ] || $PYTHON refine.py --shards "$WORK/shards" --weights "$WORK/run/tile.safetensors" --out "$WORK/refined"
touch "$WORK/refined/done"
# shellcheck disable=SC2086
exec $PYTHON train.py --shards "$WORK/refined" "$WORK/scenes" --out "$WORK/run" --steps "$STEPS" $OPTIONS
