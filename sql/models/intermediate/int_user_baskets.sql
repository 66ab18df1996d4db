-- Grain: one row per user who holds a licence that can be weighed: the number of the user's basket. Users with the same
-- licences, the same plans switched off and the same ways of assignment share it.
with keyed as (
  select
    tenant_id,
    user_id,
    array_join(array_agg(cast(variant as varchar) || case when assigned_by = 'direct' then 'd' else 'g' end order by variant), ',') as basket_key
  from {{ ref('int_user_variants') }}
  group by 1, 2
)

select
  tenant_id,
  user_id,
  dense_rank() over (order by tenant_id, basket_key) as basket
from keyed
