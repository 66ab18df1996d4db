-- What nothing blocks was measured, is directly assigned, and is in no grace period. A licence that others cover needs no
-- measure of its use: what covers it is the evidence.
select tenant_id, user_id, sku_id, evidence, activity_status, assigned_by
from {{ ref('reclaim_candidates') }}
where blocked_by is null
  and (evidence <> 'complete' or activity_status = 'too_new'
    or (activity_status = 'not_measurable' and reasons not like '%duplicate_entitlement%')
    or assigned_by is null or assigned_by <> 'direct')
