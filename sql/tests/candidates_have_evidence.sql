-- What nothing blocks was measured, is directly assigned, and is in no grace period.
select tenant_id, user_id, sku_id, evidence, activity_status, assigned_by
from {{ ref('reclaim_candidates') }}
where blocked_by is null
  and (evidence <> 'complete' or activity_status in ('not_measurable', 'too_new') or assigned_by is null or assigned_by <> 'direct')
