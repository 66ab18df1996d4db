-- Grain: one row per row of a sealed plan: a licence of a user that somebody decided to take back.
with events as (
  select
    e.*,
    row_number() over (partition by tenant_id, plan_id, plan_row order by sequence, position) as place
  from {{ ref('stg_reclaim_events') }} as e
),

rows_of_plans as (
  select
    tenant_id,
    plan_id,
    plan_row,
    max(user_id) as user_id,
    max(user_principal_name) as user_principal_name,
    max(sku_id) as sku_id,
    max(sku_part_number) as sku_part_number,
    max(candidate_reason) as candidate_reason,
    max(plan_sha256) as plan_sha256,
    max(sealed_by) as sealed_by,
    max(sealed_at) as sealed_at,
    max(expires_at) as expires_at,
    max(annual_saving) as annual_saving,
    max(cash_at_renewal) as cash_at_renewal,
    max(renewal_date) as renewal_date,
    max(currency) as currency,
    bool_or(is_estimate) as is_estimate,
    max_by(state, place) filter (where state is not null) as state,
    max_by(occurred_at, place) filter (where state is not null) as state_since,
    max_by(reason, place) filter (where state is not null) as state_reason,
    array_join(
      array_agg(state || ' ' || cast(cast(occurred_at as date) as varchar) order by place) filter (where state is not null), '; '
    ) as state_history,
    max(occurred_at) filter (where action = 'removed') as taken_at,
    max_by(actor, place) filter (where action = 'removed') as taken_by,
    bool_or(coalesce(way = 'direct' and action = 'removed', false)) as took_direct,
    bool_or(coalesce(way = 'group' and action = 'removed', false)) as took_group,
    max(occurred_at) filter (where action = 'restore_completed') as given_back_at,
    max(place) filter (where unit_freed) as freed_place,
    max(place) filter (where action in ('restored', 'restore_completed')) as restored_place,
    max(place) filter (where action in ('verified', 'unverified')) as looked_place,
    max(place) filter (where action = 'verified') as verified_place,
    max(occurred_at) filter (where action = 'verified') as verified_at,
    max_by(cause, place) filter (where cause is not null) as last_cause
  from events
  group by 1, 2, 3
),

judged as (
  select
    r.*,
    coalesce(freed_place > coalesce(restored_place, 0), false) as is_unit_freed,
    -- The newest read after the licence went shows that it is gone.
    coalesce(freed_place > coalesce(restored_place, 0) and verified_place > freed_place and verified_place = looked_place, false) as is_realised
  from rows_of_plans as r
)

select
  tenant_id,
  plan_id,
  plan_row,
  user_id,
  user_principal_name,
  sku_id,
  sku_part_number,
  candidate_reason,
  plan_sha256,
  sealed_by,
  sealed_at,
  expires_at,
  state,
  state_since,
  state_reason,
  state_history,
  case when took_direct and took_group then 'both' when took_group then 'group' when took_direct then 'direct' end as taken_way,
  taken_at,
  taken_by,
  case when verified_place > coalesce(freed_place, 0) then verified_at end as verified_at,
  given_back_at,
  last_cause,
  case when is_unit_freed then 1 else 0 end as units_freed,
  is_realised,
  annual_saving,
  case when is_realised then annual_saving else cast(0 as decimal(18, 2)) end as realised_annual_capacity,
  case when is_realised then cash_at_renewal else cast(0 as decimal(18, 2)) end as realised_cash_at_renewal,
  renewal_date,
  currency,
  is_estimate
from judged
